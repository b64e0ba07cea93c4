# Reads texts as JSON, one a line. Prints the seconds that rufus-scheduler makes of
# each as an interval, or null.
require "json"
require "rufus-scheduler"

scheduler = Rufus::Scheduler.new
$stdin.each_line do |text|
  job = scheduler.every(JSON.parse(text).fetch(0), job: true, first_in: "1d") {}
  puts JSON.generate([job.frequency])
  job.unschedule
rescue ArgumentError
  puts "[]"
end
