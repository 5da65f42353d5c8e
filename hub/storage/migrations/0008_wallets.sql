-- Wallets, the messages that connect them, and the blocks of what the hub publishes. No foreign keys: see 0003.

CREATE TABLE wallet (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of the list
    user_id uuid NOT NULL,
    chain_id bigint NOT NULL CHECK (chain_id > 0),
    address bytea NOT NULL CHECK (octet_length(address) = 20),
    connected_at timestamptz NOT NULL,
    disconnected_at timestamptz              -- kept: whose address it was when something was minted to it
);
-- An address is one person's at a time, and free again once it is disconnected.
CREATE UNIQUE INDEX wallet_address ON wallet (chain_id, address) WHERE disconnected_at IS NULL;
CREATE INDEX wallet_user ON wallet (user_id, number DESC) WHERE disconnected_at IS NULL;

-- Messages (EIP-4361) given out and not yet used. The row is gone once its nonce is spent.
CREATE TABLE wallet_message (
    nonce text PRIMARY KEY,
    user_id uuid NOT NULL,
    chain_id bigint NOT NULL,
    address bytea NOT NULL,
    text text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX wallet_message_expiry ON wallet_message (expires_at);

-- Content-addressed: a block is named by its SHA-256, whatever CID names it.
CREATE TABLE chain_block (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    data bytea NOT NULL
);
