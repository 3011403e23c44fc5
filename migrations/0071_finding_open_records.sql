-- Any open record of a side is found through an index, in runs of a million exceptions: by its amount, by its day, and by
-- how its id or its reference begins. For putting records together by hand. Written with every exception, so they are few:
-- side and currency stand behind the order, where an index compares them without a look at the row.

DROP INDEX exceptions_open_amount;
CREATE INDEX exceptions_open_amount ON exceptions (job_id, abs(amount) DESC, ordinal, side, currency)
    WHERE state = 'open';
-- Days are ISO 8601, so that their letters have their order.
CREATE INDEX exceptions_open_day ON exceptions (job_id, ((record->>'date') COLLATE "C"), ordinal, side, currency)
    WHERE state = 'open';
-- What is longer than an index holds begins with these letters all the same.
CREATE INDEX exceptions_open_id ON exceptions (job_id, side, (lower(left(record->>'id', 100)) COLLATE "C"), ordinal)
    WHERE state = 'open';
CREATE INDEX exceptions_open_reference ON exceptions
    (job_id, side, (lower(left(record->'fields'->>'reference', 100)) COLLATE "C"), ordinal)
    WHERE state = 'open' AND record->'fields' ? 'reference';
