"""Python dependencies: what a project declares, as wheels for the function's platform."""
