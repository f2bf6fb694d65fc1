-- The language in which a credential's holder speaks with us. In Alipay's it is called by an application's number, which
-- stands in the place of the serial and names one credential of all tenants.
ALTER TABLE credential ADD COLUMN language TEXT COLLATE "C" NOT NULL DEFAULT 'wechat_v3';
CREATE UNIQUE INDEX credential_by_application ON credential (serial) WHERE language = 'alipay_openapi';
