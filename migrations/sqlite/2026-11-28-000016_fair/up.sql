-- What merchants were told in vain is counted at the desk and listed there: few of all notes are.
CREATE INDEX outbox_failing ON outbox (created_at, id) WHERE done_at IS NULL AND last_error IS NOT NULL;
