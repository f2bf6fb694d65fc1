-- What a statement says of sums, payer and promotions; a payment that an older version took has none of it.
ALTER TABLE payment ADD COLUMN total BIGINT;
ALTER TABLE payment ADD COLUMN payer_total BIGINT;
ALTER TABLE payment ADD COLUMN particulars TEXT COLLATE "C";

-- Why a payment pays no order, and what it is of.
ALTER TABLE orphan_payment ADD COLUMN reason TEXT COLLATE "C";
ALTER TABLE orphan_payment ADD COLUMN currency TEXT COLLATE "C";
ALTER TABLE orphan_payment ADD COLUMN total BIGINT;
CREATE INDEX orphan_payment_by_order ON orphan_payment (order_no);
CREATE INDEX orphan_payment_by_time ON orphan_payment (received_at);

-- What of a request goes on to the channel as it came.
ALTER TABLE pay_order ADD COLUMN carried TEXT COLLATE "C";

-- A request that is sent again byte for byte is the same request.
ALTER TABLE request_nonce ADD COLUMN request_sha256 TEXT COLLATE "C" CHECK (length(request_sha256) = 64);
