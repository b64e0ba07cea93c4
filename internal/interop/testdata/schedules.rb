# Sets and removes schedules as a Ruby program does.
require 'resque'
require 'resque-scheduler'

Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
Resque.redis = ENV.fetch('REDIS_URL')
Resque.set_schedule('second', { class: 'Second', every: ['1s', { first_in: '1s' }], queue: 'ruby', args: [1.0, 'é<', { 'a' => nil }], persist: true })
Resque.set_schedule('cron', { 'class' => 'Cron', 'cron' => '* * * * * * Europe/Stockholm', 'queue' => 'ruby', 'args' => 'x', 'persist' => true })
Resque.set_schedule('never', { 'class' => 'Never', 'every' => '1s', 'queue' => 'ruby', 'persist' => true })
Resque.remove_schedule('never')
