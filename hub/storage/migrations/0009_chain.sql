-- The hub's contracts on a chain, and what it does there: each transaction once, whatever dies in the middle.

-- A chain is known by its id and the hash of its first block: test chains forget everything and keep their id.
CREATE TABLE chain_deployment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain_id bigint NOT NULL,
    genesis text NOT NULL,
    state text NOT NULL CHECK (state IN ('deploying', 'ready', 'orphaned')),
    contracts jsonb NOT NULL DEFAULT '{}',       -- name → address
    created_at timestamptz NOT NULL,
    UNIQUE (chain_id, genesis)
);

CREATE TABLE chain_transaction (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of lists, and of work
    deployment_id bigint NOT NULL REFERENCES chain_deployment (id),
    owner_id uuid,                               -- NULL: the hub's own
    kind text NOT NULL CHECK (kind IN ('deploy', 'configure', 'mint')),
    key text NOT NULL,
    arguments jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'submitted', 'mined', 'confirmed', 'failed', 'orphaned')),
    sender text,
    nonce bigint,
    raw bytea,                                   -- the signed bytes, kept before they are sent for the first time
    hash text,
    block_number bigint,
    block_hash text,
    contract text,
    token_id numeric(78),                        -- uint256
    error jsonb,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),   -- the next look; also the lease of whoever works on it
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((nonce IS NULL) = (raw IS NULL) AND (nonce IS NULL) = (hash IS NULL) AND (nonce IS NULL) = (sender IS NULL)),
    CHECK (nonce IS NOT NULL OR state NOT IN ('submitted', 'mined'))
);
CREATE UNIQUE INDEX chain_transaction_once ON chain_transaction (deployment_id, key)
    WHERE state NOT IN ('failed', 'orphaned');
CREATE UNIQUE INDEX chain_transaction_nonce ON chain_transaction (deployment_id, sender, nonce)
    WHERE nonce IS NOT NULL AND state <> 'orphaned';
CREATE INDEX chain_transaction_due ON chain_transaction (due_at) WHERE state IN ('queued', 'submitted', 'mined');
CREATE INDEX chain_transaction_owner ON chain_transaction (owner_id, number DESC);
CREATE INDEX chain_transaction_token ON chain_transaction (deployment_id, contract, token_id)
    WHERE token_id IS NOT NULL;

CREATE TABLE chain_sender (
    deployment_id bigint NOT NULL REFERENCES chain_deployment (id),
    address text NOT NULL,
    next_nonce bigint NOT NULL,                  -- changed only together with the transaction that takes it
    PRIMARY KEY (deployment_id, address)
);
