-- Posts. author_id has no foreign key for the reason given in 0003.

CREATE TABLE post (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- order of an author's own list, where drafts have no published_at
    author_id uuid NOT NULL,
    slug text NOT NULL UNIQUE,                   -- of deleted posts too: an old link never leads to another post
    title text NOT NULL,
    content json NOT NULL,
    excerpt text,
    cover_image text,
    tags text[] NOT NULL,
    status text NOT NULL CHECK (status IN ('DRAFT', 'PUBLISHED')),
    reading_minutes integer NOT NULL,
    version bigint NOT NULL DEFAULT 1,           -- the ETag
    published_at timestamptz CHECK (published_at IS NOT NULL OR status = 'DRAFT'),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE INDEX post_published ON post (published_at DESC, id DESC) WHERE status = 'PUBLISHED' AND deleted_at IS NULL;
CREATE INDEX post_author ON post (author_id, number DESC) WHERE deleted_at IS NULL;
