-- How the presence of accounts changed, if SPARKLE_PRESENCE_HISTORY_DAYS keeps that.

CREATE TABLE presence_transition (
    user_id uuid NOT NULL REFERENCES account_user ON DELETE CASCADE,
    version bigint NOT NULL,                 -- of the user's own view: it rises with every change, so it names one
    at timestamptz NOT NULL,
    status smallint NOT NULL,                -- the numbers of presence.model.Status; the truth, invisible included
    PRIMARY KEY (user_id, version)
);
CREATE INDEX presence_transition_at ON presence_transition (at);
