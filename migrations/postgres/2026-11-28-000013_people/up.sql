-- How far attempts to log in are ahead of what is allowed, a row an address, a login, or a device that has logged in before.
-- The key is a keyed digest: what people type into a login field is not kept. A row whose `ahead` is over says nothing.
CREATE TABLE login_attempt (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ahead BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX login_attempt_by_time ON login_attempt (ahead);

-- Who was refused what, from where: a row a day for all that is equal, so that nobody can fill the disk.
CREATE TABLE security_event (
    business_date INTEGER NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    origin TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    times BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (business_date, kind, who, origin, what)
);
