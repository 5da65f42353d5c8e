-- Calls that are over. Whoever is called need not have an account: the caller must not learn that.
CREATE TABLE call_record (
    call_id text PRIMARY KEY,
    type text NOT NULL,
    initiator_id uuid NOT NULL,
    is_group boolean NOT NULL,
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz NOT NULL,
    reason text NOT NULL
);
CREATE TABLE call_record_member (
    call_id text NOT NULL REFERENCES call_record ON DELETE CASCADE,
    user_id uuid NOT NULL,
    started_at timestamptz NOT NULL,  -- the call's, so that one index gives somebody's calls in order
    answer text NOT NULL CHECK (answer IN ('joined', 'declined', 'missed')),
    knows boolean NOT NULL,           -- whether it rang there: not across a block
    PRIMARY KEY (call_id, user_id)
);
CREATE INDEX call_record_member_of_user ON call_record_member (user_id, started_at DESC, call_id DESC) WHERE knows;
