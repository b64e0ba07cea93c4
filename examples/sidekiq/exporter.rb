require 'sidekiq'
require 'resque'

Resque.redis = ENV.fetch('REDIS_URL')

class Exporter
  include Sidekiq::Job
  sidekiq_options queue: 'exports', retry: 5
  @queue = :exports

  def perform(export_id)
    puts "Sidekiq exports #{export_id}"
  end
end
