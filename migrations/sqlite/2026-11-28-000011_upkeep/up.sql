-- Rows of work that ended long ago are forgotten, oldest first: they are found without reading the others.
CREATE INDEX task_ended ON task (ended_at, id) WHERE ended_at IS NOT NULL;
