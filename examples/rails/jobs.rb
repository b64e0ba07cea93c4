# The jobs of a Rails app that shares its queues with the Go program beside this file. Go
# performs ExportJob and enqueues MailJob. Rails enqueues ExportJob and performs MailJob.
class ExportJob < ActiveJob::Base
  self.queue_adapter = :resque
  queue_as :exports

  def perform(export_id, format:)
    puts "Rails exports #{export_id} as #{format}"
  end
end

class MailJob < ActiveJob::Base
  self.queue_adapter = :resque
  queue_as :mail

  def perform(address)
    puts "Rails mails #{address}"
  end
end
