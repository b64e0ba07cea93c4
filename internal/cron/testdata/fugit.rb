# Reads [line, seconds, zone] as JSON, one a line. Prints what fugit makes of it: the
# version first, then for each the next five times in seconds, or nothing.
require "fugit"
require "json"

puts Fugit::VERSION
$stdin.each_line do |text|
  line, from, zone = JSON.parse(text)
  ENV["TZ"] = zone # that of a line without one
  time = EtOrbi::EoTime.new(from, zone)
  begin
    cron = Fugit::Cron.do_parse(line)
    times = Array.new(5) { (time = cron.next_time(time)).to_i }
  rescue StandardError => e
    warn "#{line.inspect}: #{e.message}" if ENV["SHOW"]
    times = []
  end
  puts JSON.generate(times)
end
