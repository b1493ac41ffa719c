CREATE TABLE public.contacts (
    id bigint PRIMARY KEY,
    email text NOT NULL,
    first_name text,
    password_hash text,
    consent boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO public.contacts VALUES
    (1, 'ada@example.com', 'Ada', 'x1', true, '2026-01-05 09:00:00+00'),
    (2, 'grace@example.com', 'Grace', 'x2', true, '2026-01-05 09:00:00+00'),
    (3, 'alan@example.com', NULL, 'x3', false, '2026-01-06 17:30:00+00'),
    (4, 'edsger@example.com', 'Edsger', 'x4', true, '2026-02-11 08:15:00.123456+00');
