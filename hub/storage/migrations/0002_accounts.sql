-- People, their sessions, and who follows and blocks whom.

CREATE TABLE account_user (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,                 -- NFKC + casefold: what "the same address" means
    username text NOT NULL,
    username_key text NOT NULL,
    password_hash text NOT NULL,             -- argon2id, with its parameters and salt
    display_name text NOT NULL DEFAULT '',
    bio text NOT NULL DEFAULT '',
    referral_code text,                      -- as given at sign-up
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
    version bigint NOT NULL DEFAULT 1,       -- of the profile: the ETag
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);
-- Partial: a deleted account gives its address and name back.
CREATE UNIQUE INDEX account_user_email ON account_user (email_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX account_user_username ON account_user (username_key) WHERE deleted_at IS NULL;

-- One sign-in on one device, and the state of its family of refresh tokens (core_api/accounts/refresh.py).
CREATE TABLE account_session (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of the list
    user_id uuid NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
    user_agent text NOT NULL,
    address_prefix text NOT NULL,            -- network only: enough to recognise a place, too little to track a person
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,       -- when the current refresh token replaced its predecessor
    refresh_seed bytea NOT NULL,             -- random; tokens are derived from it with a key that is not in the database
    refresh_generation integer NOT NULL,     -- number of the current refresh token
    ended_at timestamptz,
    end_reason text
);
CREATE INDEX account_session_live ON account_session (user_id, number DESC) WHERE ended_at IS NULL;

CREATE TABLE account_follow (
    followee_id uuid NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
    follower_id uuid NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of both lists
    created_at timestamptz NOT NULL,
    PRIMARY KEY (followee_id, follower_id),  -- fan-out pages through this
    CHECK (followee_id <> follower_id)
);
CREATE INDEX account_follow_followers ON account_follow (followee_id, number DESC);
CREATE INDEX account_follow_following ON account_follow (follower_id, number DESC);

CREATE TABLE account_block (
    blocker_id uuid NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
    blocked_id uuid NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);
CREATE INDEX account_block_blocked ON account_block (blocked_id);
