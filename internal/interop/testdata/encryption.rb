# Performs one job with the code of docs/encryption.md, and enqueues one. The code is the
# first argument.
require "resque"
Resque.redis = ENV.fetch("REDIS_URL")
eval(ARGV[0])
class Mailer
  @queue = :mail
  singleton_class.prepend Encrypted
  def self.perform(*args) = $got = args
end
job = Resque.reserve(:mail)
job.perform
Resque.enqueue_to(:back, Mailer, Encrypted.encrypt("Mailer", *$got))
begin
  Encrypted.decrypt("Other", job.payload["args"][0])
rescue OpenSSL::Cipher::CipherError
  puts JSON.generate("got" => $got, "other" => "refused")
end
