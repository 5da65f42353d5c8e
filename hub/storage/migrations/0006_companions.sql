-- Companions and what they and their owners said. owner_id has no foreign key for the reason given in 0003.

CREATE TABLE companion (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of the owner's list
    owner_id uuid NOT NULL,
    name text NOT NULL,
    traits json NOT NULL,                        -- as given; those that are missing follow from the seed
    seed bigint NOT NULL,
    avatar_style text,
    voice_id text,
    interests text[] NOT NULL,
    version bigint NOT NULL DEFAULT 1,           -- the ETag
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX companion_owner ON companion (owner_id, number DESC);

CREATE TABLE companion_conversation (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of lists
    companion_id uuid NOT NULL REFERENCES companion (id) ON DELETE CASCADE,
    title text NOT NULL,                         -- how its first message begins
    last_seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);                        -- last_seq changes with each message: room for updates in place
CREATE INDEX companion_conversation_order ON companion_conversation (companion_id, number DESC);

CREATE TABLE companion_message (
    conversation_id uuid NOT NULL REFERENCES companion_conversation (id) ON DELETE CASCADE,
    seq bigint NOT NULL,                         -- 1, 2, 3 … a message of the owner, then the reply to it
    id uuid NOT NULL UNIQUE,
    companion_id uuid NOT NULL REFERENCES companion (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('user', 'assistant')),
    text text NOT NULL,
    status text NOT NULL CHECK (status IN ('generating', 'done', 'cancelled', 'failed')),
    client_id text,                              -- the owner's name for a message: makes a repeat harmless
    node_id text,                                -- of a reply: the node that generates it
    deadline_at timestamptz,                     -- of a reply: when nobody believes in it any more
    cancel_asked boolean NOT NULL DEFAULT false,
    responder text,                              -- of a finished reply: what wrote it
    emotion json,
    memory_ids uuid[] NOT NULL DEFAULT '{}',     -- what the reply was written from; forgotten ones stay as numbers
    created_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, seq),
    UNIQUE (companion_id, client_id),
    CHECK (status <> 'generating' OR (role = 'assistant' AND node_id IS NOT NULL AND deadline_at IS NOT NULL))
);
-- One reply at a time in a conversation; also what the sweepers read.
CREATE UNIQUE INDEX companion_message_generating ON companion_message (conversation_id) WHERE status = 'generating';
