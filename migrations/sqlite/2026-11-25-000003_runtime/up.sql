-- Which process does a job now. Whoever holds it counts `beat` up; others take it over when that stands still.
CREATE TABLE job_lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    beat INTEGER NOT NULL
);
