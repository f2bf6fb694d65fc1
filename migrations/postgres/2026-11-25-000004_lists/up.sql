-- Orders of a state that few orders have (the list's filter, the platform's desk, the job that resolves UNKNOWN) are
-- found by their events in order of the list. It takes the place of the index by time, which no query needs any more:
-- `at` spares the job the rows of events that are too old. What was left behind as CREATED is found by the time of the order.
DROP INDEX order_event_by_kind;
CREATE INDEX order_event_by_kind ON order_event (kind, order_id, at);

-- The platform's list of files of a day, whatever institution they are of.
CREATE INDEX exchanged_file_of_day ON exchanged_file (business_date, id);

-- An institution's inbox: what we published for it, newest first, without sorting all that was ever exchanged.
CREATE INDEX exchanged_file_by_direction ON exchanged_file (institution_id, direction, id);
