require 'sidekiq/api'

waiting = [Sidekiq::Queue.new('exports'), Sidekiq::RetrySet.new, Sidekiq::ScheduledSet.new]
puts waiting.sum { |jobs| jobs.count { |job| job.klass == 'Exporter' } }
