# The arguments of the jobs that Ruby and Go enqueue for each other, in the order of
# arguments_test.go.
require 'json' # before Resque, so that Resque uses it even if Oj is installed
require 'resque'

Resque.redis = ENV.fetch('REDIS_URL')
Resque.logger.level = Logger::FATAL
Thread.report_on_exception = false

ARGUMENTS = [
  [],
  [1],
  [-9_223_372_036_854_775_808, 9_223_372_036_854_775_807],
  [123_456_789_012_345_678_901_234_567_890],
  [0.1, 1.0, -2.5, 1.0e+20, 1.0e-05, 100_000_000_000_000_000.0],
  [nil, true, false],
  ['', 'a b', "tab\tline\nquote\"back\\slash/"],
  ['<script>&amp;</script>', "\u2028\u2029", "\u007f\u0001"],
  ['héllo', '日本語', '🦀 👩‍👩‍👧', "e\u0301"],
  [[], {}, [[]], [{}]],
  [{ 'id' => 7, 'opts' => [nil, true, 1.0, { 'deep' => { 'deeper' => ['ü'] } }] }],
  [[1, [2, [3, [4]]]], { '' => 0, 'ключ' => 'значение' }]
].freeze

module Exporter
  @queue = :exports
end

# same? compares value and type.
def same?(one, other)
  return false unless one.class == other.class

  case one
  when Array then one.size == other.size && one.zip(other).all? { |a, b| same?(a, b) }
  when Hash then one.keys == other.keys && one.all? { |k, v| same?(v, other[k]) }
  else one.eql?(other)
  end
end
