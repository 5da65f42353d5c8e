-- Webhooks, and what they are to be told.

CREATE TABLE document_webhook (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL,
    document_id uuid REFERENCES documents ON DELETE CASCADE,  -- NULL: all documents of the owner
    url text NOT NULL,
    events text[] NOT NULL,
    created_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,     -- attempts that failed since the last success
    disabled_at timestamptz
);
CREATE INDEX document_webhook_owner ON document_webhook (owner_id, created_at DESC, id DESC);

CREATE TABLE document_webhook_delivery (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES document_webhook ON DELETE CASCADE,
    document_id uuid NOT NULL,
    event text NOT NULL,
    body text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,             -- of the next attempt; also the lease of whoever makes it
    status integer,                          -- of the last answer
    error text,                              -- why the last attempt failed
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX document_webhook_delivery_due ON document_webhook_delivery (due_at) WHERE state = 'waiting';
CREATE INDEX document_webhook_delivery_order ON document_webhook_delivery (webhook_id, created_at DESC, id DESC);
CREATE INDEX document_webhook_delivery_ended ON document_webhook_delivery (ended_at) WHERE state <> 'waiting';
-- That a document was changed is said once, however often it was until that could be said.
CREATE UNIQUE INDEX document_webhook_delivery_changed ON document_webhook_delivery (webhook_id, document_id)
    WHERE event = 'document.changed' AND state = 'waiting' AND attempts = 0;
