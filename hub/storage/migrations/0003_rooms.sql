-- Rooms, their members and messages; and what the relay of the outbox has to remember.

-- Columns that name people have no foreign key: accounts are only marked as deleted, and the domains stay separable.

CREATE TABLE room (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of lists
    name text NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('public', 'private')),
    owner_id uuid NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 70);                        -- last_seq changes with each message: room for updates in place
CREATE UNIQUE INDEX room_public ON room (number DESC) WHERE visibility = 'public';

CREATE TABLE room_member (
    room_id uuid NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of lists
    role text NOT NULL CHECK (role IN ('owner', 'member')),
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_member_order ON room_member (room_id, number);
CREATE INDEX room_member_user ON room_member (user_id);

CREATE TABLE room_message (
    room_id uuid NOT NULL REFERENCES room (id) ON DELETE CASCADE,
    seq bigint NOT NULL,                         -- 1, 2, 3 … without holes
    id uuid NOT NULL,
    sender_id uuid NOT NULL,
    client_id text NOT NULL,                     -- the sender's name for it: makes a repeat harmless
    body json NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (room_id, seq),
    UNIQUE (room_id, sender_id, client_id)
);

ALTER TABLE outbox
    ADD COLUMN attempts smallint NOT NULL DEFAULT 0,
    ADD COLUMN retry_at timestamptz;             -- in the table, so that the relays of other nodes wait as well

CREATE TABLE outbox_dead (
    id bigint PRIMARY KEY,                       -- of the row in outbox
    topic text NOT NULL,
    payload jsonb NOT NULL,
    error text NOT NULL,
    created_at timestamptz NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);
