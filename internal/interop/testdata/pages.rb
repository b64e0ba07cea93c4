# Visits every page of Resque's front end that changes nothing, following the links.
# Writes a line "path status" for each, or "path exception" if the page raised.
require_relative 'arguments'
ENV['RACK_ENV'] = 'test'
require 'resque/server'
require 'rack/mock'

Resque::Server.set :raise_errors, true
Resque::Server.set :show_exceptions, false
BROWSER = Rack::MockRequest.new(Resque::Server)

waiting = %w[/ /overview /queues /workers /workers/all /working /failed /failed?class=Exporter /failed/failed /stats /stats/resque /stats/redis
             /stats/keys /stats.txt /overview.poll /workers.poll]
waiting += Resque.workers.flat_map { |w| %W[/workers/#{w}.poll /working/#{w} /working/#{w}.poll /workers/#{w.hostname}] }
waiting += Resque.queues.flat_map { |q| %W[/queues/#{q} /queues/#{q}.poll /queues/#{q}?start=20] }
waiting += Resque.redis.keys('*').map { |key| "/stats/keys/#{Rack::Utils.escape_path(key)}" }
visited = {}
until waiting.empty?
  path = waiting.shift
  next if visited[path] || path =~ %r{/(requeue|remove|clear)(/|$)} || path =~ /\.(css|js|png|ico)$/

  begin
    response = BROWSER.get(path.gsub(/[<>" ]/) { |c| format('%%%02X', c.ord) }) # as browsers do
    visited[path] = response.status
    waiting.concat(response.body.force_encoding('UTF-8').scan(/href=['"]([^'"#]+)['"]/).flatten.select { |h| h.start_with?('/') })
  rescue StandardError => e
    visited[path] = "#{e.class}: #{e.message} #{e.backtrace.first}"
  end
end
visited.each { |path, status| puts "#{path} #{status}" }
