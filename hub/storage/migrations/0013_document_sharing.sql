-- Links that share documents, and documents that wait to be removed.

CREATE TABLE document_link (
    id uuid PRIMARY KEY,
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    secret_hash bytea NOT NULL UNIQUE,       -- SHA-256 of 256 random bits: nobody guesses them, so no salt is needed
    role text NOT NULL CHECK (role IN ('editor', 'commenter', 'viewer')),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    joined integer NOT NULL DEFAULT 0        -- people it has made members, or given more rights
);
CREATE INDEX document_link_order ON document_link (document_id, created_at DESC, id DESC);

-- What an owner may take back, and what the removal looks for.
CREATE INDEX documents_deleted_owner ON documents (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NOT NULL;
CREATE INDEX documents_deleted ON documents (deleted_at) WHERE deleted_at IS NOT NULL;
