-- What runs by itself, a row a job: when it last ran, what came of it, and when it is due again. A job that has nothing to
-- do notes so once a minute at most. `failed_at` and `last_error` tell of the last failure, also after a better run.
CREATE TABLE job_run (
    job TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    next_due INTEGER,
    runs INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed_at INTEGER,
    last_error TEXT
) STRICT;

-- Work that takes its time and can be watched and stopped. Who does it holds the lease `lease`: a row that says RUNNING
-- while nobody holds that lease was left behind by a process that is gone. `holder` tells one hold from the next.
CREATE TABLE task (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
    lease TEXT NOT NULL,
    holder TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    phase TEXT NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER,
    cancel_asked_by TEXT,
    cancel_asked_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    result_file TEXT,
    error_code TEXT,
    error_detail TEXT,
    CHECK ((cancel_asked_by IS NULL) = (cancel_asked_at IS NULL)),
    CHECK ((ended_at IS NULL) = (state IN ('QUEUED', 'RUNNING')))
) STRICT;
CREATE INDEX task_by_subject ON task (kind, subject, id);
CREATE INDEX task_open ON task (id) WHERE state IN ('QUEUED', 'RUNNING');
