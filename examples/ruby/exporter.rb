require 'resque'

Resque.redis = ENV.fetch('REDIS_URL')

class Exporter
  @queue = :exports

  def self.perform(export_id, format)
    puts "Ruby exports #{export_id} as #{format}"
  end
end

class Mailer
  @queue = :mail

  def self.perform(address)
    puts "Ruby mails #{address}"
  end
end
