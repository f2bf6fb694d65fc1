-- Which documents a day's evidence consists of: the one channel's own bill, or the institution's.
ALTER TABLE institution ADD COLUMN documents TEXT COLLATE "C" NOT NULL DEFAULT 'channel'
    CHECK (documents IN ('channel', 'bil'));

-- A channel's own document may say something else of a payment than the bill that is split.
ALTER TABLE difference DROP CONSTRAINT difference_kind_check;
ALTER TABLE difference ADD CONSTRAINT difference_kind_check
    CHECK (kind IN ('LONG', 'SHORT', 'AMOUNT', 'FACTS', 'DOCUMENT'));

-- Alipay's document is kept as WeChat's is.
ALTER TABLE exchanged_file DROP CONSTRAINT exchanged_file_kind_check;
ALTER TABLE exchanged_file ADD CONSTRAINT exchanged_file_kind_check
    CHECK (kind IN ('SPL', 'STL', 'BIL', 'APR', 'RET', 'WXBILL', 'ALIBILL'));
