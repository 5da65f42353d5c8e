-- What companions remember of the people they talk with.

-- One row per companion, made with its first memory. Whoever changes its memories holds this row, so that versions are
-- committed in their order and a reader at version 7 needs only the rows above 7.
CREATE TABLE companion_mind (
    companion_id uuid PRIMARY KEY REFERENCES companion (id) ON DELETE CASCADE,
    version bigint NOT NULL,
    removed_version bigint NOT NULL DEFAULT 0,   -- of the last change that removed a memory
    memories integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE companion_memory (
    id uuid PRIMARY KEY,
    companion_id uuid NOT NULL REFERENCES companion (id) ON DELETE CASCADE,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of lists
    version bigint NOT NULL,                     -- of the mind, when this row was last written
    message_id uuid NOT NULL,                    -- the last one that said it
    text text NOT NULL,
    embedding bytea NOT NULL,                    -- float32, little-endian
    model_id text NOT NULL,                      -- vectors of two models cannot be compared
    dimensions integer NOT NULL CHECK (octet_length(embedding) = 4 * dimensions),
    importance double precision NOT NULL CHECK (importance BETWEEN 0 AND 1),
    created_at timestamptz NOT NULL,
    said_at timestamptz NOT NULL,                -- when it was last said
    last_recalled_at timestamptz,
    recall_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);                        -- room for counting recalls in place
-- Vectors do not compress; beside the row, they are not written again when a recall is counted.
ALTER TABLE companion_memory ALTER COLUMN embedding SET STORAGE EXTERNAL;
CREATE INDEX companion_memory_changes ON companion_memory (companion_id, version, number);
CREATE INDEX companion_memory_order ON companion_memory (companion_id, number DESC);

-- Messages that were remembered: a repeat adds nothing, also when what it said was corrected or forgotten since.
CREATE TABLE companion_memory_message (
    companion_id uuid NOT NULL REFERENCES companion (id) ON DELETE CASCADE,
    message_id uuid NOT NULL,
    PRIMARY KEY (companion_id, message_id)
);
