-- KEYS: the customer's four keys of holds. ARGV: id, now, the turn to fence off. Returns the hold when there is one; otherwise
-- nobody can make it in that turn or an earlier one any more.
local keys, id, now, turn = hold_keys(1), ARGV[1], tonumber(ARGV[2]), ARGV[3]
come_to(keys, now)
local row = hold_at(keys, id, now)
if row and row[STATE] ~= 'fenced' then return cjson.encode(row) end
if row and tonumber(row[REPORT]) > tonumber(turn) then turn = row[REPORT] end
row = { '', '0', ARGV[2], ARGV[2], 'fenced', '0', '0', '0', '0', turn }
remember(keys, id, row, 'fenced', now)
keep_while_needed(keys, now)
return false
