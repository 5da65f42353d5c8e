-- Comments on documents: threads, each a first comment with its replies.

CREATE TABLE document_comment (
    id uuid PRIMARY KEY,
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    thread_id uuid NOT NULL REFERENCES document_comment ON DELETE CASCADE,  -- the first one's is its own
    author_id uuid NOT NULL,
    body text NOT NULL,
    anchor json,                             -- of the first: two Yjs relative positions, as they were given
    quote text,                              -- of the first: the text it was about when it was made
    created_at timestamptz NOT NULL,
    edited_at timestamptz,
    resolved_at timestamptz,                 -- of the first
    resolved_by uuid,
    CHECK (id = thread_id OR (anchor IS NULL AND quote IS NULL AND resolved_at IS NULL)),
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
);
CREATE INDEX document_comment_threads ON document_comment (document_id, created_at DESC, id DESC) WHERE id = thread_id;
CREATE INDEX document_comment_thread ON document_comment (thread_id, created_at, id);
