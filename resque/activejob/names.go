package activejob

import "strings"

// JobWrapper is the class of all ActiveJob jobs in a queue.
//
// Ruby: ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper.
const JobWrapper = "ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper"

// Keys with a meaning for Rails. They begin with reserved. Other keys must not begin
// with it.
//
// Ruby: ActiveJob::Arguments::RESERVED_KEYS.
const (
	reserved       = "_aj_"
	keySerialized  = "_aj_serialized"
	keyGlobalID    = "_aj_globalid"
	keySymbols     = "_aj_symbol_keys"
	keyKeywords    = "_aj_ruby2_keywords"
	keyIndifferent = "_aj_hash_with_indifferent_access"
)

// Rails' own serializers.
const (
	serializers = "ActiveJob::Serializers::"

	symbolSerializer       = serializers + "SymbolSerializer"
	moduleSerializer       = serializers + "ModuleSerializer"
	decimalSerializer      = serializers + "BigDecimalSerializer"
	dateSerializer         = serializers + "DateSerializer"
	timeSerializer         = serializers + "TimeSerializer"
	dateTimeSerializer     = serializers + "DateTimeSerializer"
	timeWithZoneSerializer = serializers + "TimeWithZoneSerializer"
	durationSerializer     = serializers + "DurationSerializer"
	rangeSerializer        = serializers + "RangeSerializer"
	parametersSerializer   = serializers + "ActionControllerParametersSerializer"
)

const (
	timeLayout     = "2006-01-02T15:04:05.000000000Z07:00"
	dateTimeLayout = "2006-01-02T15:04:05.000000000-07:00" // also writes an offset for UTC
)

func isReserved(key string) bool { return strings.HasPrefix(key, reserved) }
