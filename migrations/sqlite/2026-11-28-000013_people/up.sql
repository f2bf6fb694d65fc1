-- How far attempts to log in are ahead of what is allowed, a row an address, a login, or a device that has logged in before.
-- The key is a keyed digest: what people type into a login field is not kept. A row whose `ahead` is over says nothing.
CREATE TABLE login_attempt (
    key TEXT NOT NULL PRIMARY KEY,
    ahead INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_attempt_by_time ON login_attempt (ahead);

-- Who was refused what, from where: a row a day for all that is equal, so that nobody can fill the disk.
CREATE TABLE security_event (
    business_date INT NOT NULL,
    kind TEXT NOT NULL,
    who TEXT NOT NULL,
    origin TEXT NOT NULL,
    what TEXT NOT NULL,
    times INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (business_date, kind, who, origin, what)
) STRICT;
