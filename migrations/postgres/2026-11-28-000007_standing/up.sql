-- Where each of our files stands, one row a file: it follows from the results (exchange/standing), is written in the
-- transaction that records them, and `check` compares. Without it every page and the gate read all results of all days.
CREATE TABLE file_standing (
    file_id BIGINT NOT NULL PRIMARY KEY REFERENCES exchanged_file (id),
    institution_id BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    -- Lines that a FINAL answers, and how many of them stand so now; the rest is not spoken of.
    expected BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    bounced BIGINT NOT NULL,
    -- 1 = its run is recorded to its end: it may be published and offered.
    run_complete INTEGER NOT NULL,
    -- When its newest answer was taken in; NULL while the institution has still to answer.
    answered_at BIGINT,
    -- The settlement that takes it in, or that was made over it when it was void; a settlement is its own.
    settled_by BIGINT,
    -- Of a settlement: FINAL results with lines that failed or bounced which no settlement lists; NULL of none.
    requeues BIGINT
);
CREATE INDEX file_standing_of_institution ON file_standing (institution_id, file_id);
CREATE INDEX file_standing_of_kind ON file_standing (institution_id, kind, file_id);
CREATE INDEX file_standing_settled_by ON file_standing (settled_by);
-- What is open, which is little however long the past is.
CREATE INDEX file_standing_open ON file_standing (institution_id, file_id) WHERE answered_at IS NULL;
CREATE INDEX file_standing_open_anywhere ON file_standing (file_id) WHERE answered_at IS NULL;
CREATE INDEX file_standing_unsettled ON file_standing (institution_id, file_id) WHERE settled_by IS NULL;
CREATE INDEX file_standing_requeues ON file_standing (institution_id, file_id) WHERE requeues IS NOT NULL;

-- Which settlements list a file is asked by its name.
CREATE INDEX settlement_input_by_name ON settlement_input (name, file_id);

INSERT INTO file_standing
    WITH said AS (
        SELECT r.file_id, l.status, ROW_NUMBER() OVER (PARTITION BY r.file_id, l.n ORDER BY r.seq DESC) AS back
        FROM file_result r JOIN result_line l ON l.file_result_id = r.id WHERE r.stage = 'FINAL'
    ), counted AS (
        SELECT file_id, COUNT(CASE WHEN status = 'S' THEN 1 END) AS succeeded,
            COUNT(CASE WHEN status = 'F' THEN 1 END) AS failed, COUNT(CASE WHEN status = 'P' THEN 1 END) AS pending,
            COUNT(CASE WHEN status = 'B' THEN 1 END) AS bounced
        FROM said WHERE back = 1 GROUP BY file_id
    ), answered AS (
        SELECT file_id, COUNT(CASE WHEN stage = 'FIRST' AND code = 'ACCEPTED' THEN 1 END) AS taken,
            COUNT(CASE WHEN stage = 'FIRST' AND code NOT IN ('ACCEPTED', 'E_SIGN', 'E_DIGEST') THEN 1 END) AS refused,
            COUNT(CASE WHEN stage = 'FINAL' THEN 1 END) AS finals, MAX(imported_at) AS at
        FROM file_result GROUP BY file_id
    ), split AS (
        SELECT file_id, COUNT(*) AS orders FROM split_order WHERE reason IS NULL GROUP BY file_id
    ), weighed AS (
        SELECT f.id, f.institution_id, f.kind, f.business_date, f.seq,
            CASE f.kind WHEN 'STL' THEN f.orders ELSE COALESCE(s.orders, 0) END AS expected,
            COALESCE(c.succeeded, 0) AS succeeded, COALESCE(c.failed, 0) AS failed, COALESCE(c.pending, 0) AS pending,
            COALESCE(c.bounced, 0) AS bounced, COALESCE(a.taken, 0) AS taken, COALESCE(a.refused, 0) AS refused,
            COALESCE(a.finals, 0) AS finals, a.at
        FROM exchanged_file f
        LEFT JOIN counted c ON c.file_id = f.id
        LEFT JOIN answered a ON a.file_id = f.id
        LEFT JOIN split s ON s.file_id = f.id
        WHERE f.direction = 'OUT'
    ), stood AS (
        SELECT w.*, CASE
            WHEN taken = 0 AND refused = 0 THEN 'PUBLISHED'
            WHEN taken = 0 THEN 'REJECTED'
            WHEN finals = 0 THEN 'ACCEPTED'
            WHEN pending > 0 OR succeeded + failed + pending + bounced < expected THEN 'PARTLY_ANSWERED'
            WHEN bounced > 0 THEN 'BOUNCED'
            WHEN failed > 0 THEN 'EXECUTED_WITH_FAILURES'
            ELSE 'EXECUTED' END AS state
        FROM weighed w
    )
    SELECT id, institution_id, kind, state, expected, succeeded, failed, pending, bounced,
        CASE WHEN kind <> 'SPL' OR EXISTS (SELECT 1 FROM day_cut d WHERE d.institution_id = stood.institution_id
            AND d.business_date = stood.business_date AND d.seq >= stood.seq AND d.more = 0) THEN 1 ELSE 0 END,
        CASE WHEN state IN ('PUBLISHED', 'ACCEPTED', 'PARTLY_ANSWERED') THEN NULL ELSE at END,
        CASE kind WHEN 'STL' THEN id END, NULL
    FROM stood;
UPDATE file_standing SET settled_by = (
    SELECT MIN(s.file_id) FROM exchanged_file f
    JOIN settlement_input i ON i.name = f.name
    JOIN file_standing s ON s.file_id = i.file_id AND s.institution_id = f.institution_id AND s.state <> 'REJECTED'
    WHERE f.id = file_standing.file_id)
WHERE kind <> 'STL' AND state <> 'REJECTED';
UPDATE file_standing SET settled_by = (
    SELECT MIN(s.file_id) FROM exchanged_file f
    JOIN file_result r ON r.file_id = f.id AND r.stage = 'FIRST' AND r.code NOT IN ('ACCEPTED', 'E_SIGN', 'E_DIGEST')
    JOIN file_standing s ON s.institution_id = f.institution_id AND s.kind = 'STL' AND s.state <> 'REJECTED'
        AND s.file_id > r.ret_file_id
    JOIN exchanged_file stl ON stl.id = s.file_id AND stl.business_date >= f.business_date
    WHERE f.id = file_standing.file_id)
WHERE kind <> 'STL' AND state = 'REJECTED';
UPDATE file_standing SET requeues = (
    SELECT NULLIF(COUNT(*), 0) FROM file_result r
    JOIN exchanged_file ret ON ret.id = r.ret_file_id
    WHERE r.file_id = file_standing.file_id AND r.stage = 'FINAL'
        AND EXISTS (SELECT 1 FROM result_line l WHERE l.file_result_id = r.id AND l.status IN ('F', 'B'))
        AND NOT EXISTS (SELECT 1 FROM settlement_input i
            JOIN file_standing s ON s.file_id = i.file_id AND s.institution_id = file_standing.institution_id
                AND s.state <> 'REJECTED'
            WHERE i.name = ret.name))
WHERE kind = 'STL';
