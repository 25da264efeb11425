"""From settings to temporary credentials in the environment of the tasks that follow."""
