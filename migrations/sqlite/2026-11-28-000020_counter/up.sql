-- What the payer's wallet is called up with is a code_url of one product, a prepay_id or an h5_url of others.
ALTER TABLE order_event RENAME COLUMN code_url TO prepay;

-- In which language an order was asked for, and its merchant is told.
ALTER TABLE pay_order ADD COLUMN language TEXT NOT NULL DEFAULT 'wechat_v3';
ALTER TABLE outbox ADD COLUMN language TEXT NOT NULL DEFAULT 'wechat_v3';
