require "aws-sdk-core"

client = Aws::STS::Client.new(endpoint: ENV["AWS_ENDPOINT_URL"])
finish = Time.now + ARGV[0].to_f
while Time.now < finish
  puts "ruby #{client.get_caller_identity.arn}"
  sleep 0.5
end
