-- Counts the ends of members that no worker performs, because they were removed.
--
-- KEYS  the keys of the expectations
-- ARGV  an outcome without effects and counters (see outcome.lua): its expectations count
--       the ends
-- returns 1, the text of an error, or the values of the keys of which the outcome expected
--         others

next_key, next_arg = 1, 1
local _, effects = outcome()
return run(effects, true)
