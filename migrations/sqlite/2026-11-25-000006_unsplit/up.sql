-- What stands unsplit, of all days: it follows from the files, day by day, and is listed apart, because looking through
-- every day that was ever cut for the few is slow.
CREATE TABLE unsplit_order (
    file_id INTEGER NOT NULL,
    n INT NOT NULL,
    institution_id INTEGER NOT NULL,
    business_date INT NOT NULL,
    sub_merchant_id INTEGER,
    order_no TEXT NOT NULL,
    inst_order_no TEXT NOT NULL,
    paid_at INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (file_id, n)
) STRICT;
CREATE INDEX unsplit_order_newest ON unsplit_order (business_date, file_id, n);
CREATE INDEX unsplit_order_by_institution ON unsplit_order (institution_id, business_date, file_id, n);
CREATE INDEX unsplit_order_by_sub_merchant ON unsplit_order (sub_merchant_id, business_date, file_id, n);
INSERT INTO unsplit_order
    SELECT x.file_id, x.n, x.institution_id, x.business_date, b.sub_merchant_id, b.order_no, x.inst_order_no, x.paid_at,
        b.paid, x.reason
    FROM split_order x
    JOIN bill_order b ON b.business_date = x.business_date AND b.institution_id = x.institution_id
        AND b.bill_id = x.bill_id AND b.paid_at = x.paid_at AND b.inst_order_no = x.inst_order_no
    WHERE x.reason IS NOT NULL
        AND x.file_id NOT IN (SELECT file_id FROM file_result
            WHERE stage = 'FIRST' AND code NOT IN ('ACCEPTED', 'E_SIGN', 'E_DIGEST'))
        AND NOT EXISTS (SELECT 1 FROM split_order o WHERE o.business_date = x.business_date
            AND o.institution_id = x.institution_id AND o.paid_at = x.paid_at AND o.inst_order_no = x.inst_order_no
            AND o.reason IS NULL AND o.file_id NOT IN (SELECT file_id FROM file_result
                WHERE stage = 'FIRST' AND code NOT IN ('ACCEPTED', 'E_SIGN', 'E_DIGEST')));
