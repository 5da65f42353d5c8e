-- What every domain needs: answers kept for Idempotency-Key, and events committed together with their rows.

CREATE TABLE idempotent_answer (
    user_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,              -- SHA-256 of method, path and body: another request under the key is refused
    status integer,                          -- NULL while the first request is in flight
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotent_answer_created_at ON idempotent_answer (created_at);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Identity numbers are not in commit order: a reader that remembers "id > last" loses the row of a slower transaction.
    -- Rows are relayed only once every transaction before theirs has ended.
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    topic text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_order ON outbox (transaction, id);
