/* The floor: what the bytes alone cost. A Socket.IO server in C, over epoll, that does the least that the load generator
 * of load_tests/bench/transport can be served with: one thread, no rules, no checks, no timeouts. Not for any other use.
 *
 *   floor PORT             writes every broadcast to every member at once
 *   floor PORT coalesce    collects a room's broadcasts and writes them together, once a turn of the loop
 *
 * It serves the events `join <room>` (acknowledged), `bc <room> <body>` (the event `m <body>` to the room) and
 * `echo <body>` (acknowledged with it). Rooms are called r0, r1, …
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOMS 4096
#define MAX_PAYLOAD 8192
#define MAX_FRAME (MAX_PAYLOAD + 4)
#define EVENTS 1024
#define NO_ROOM (-1)

struct client {
    int fd, room;
    bool upgraded;
    size_t rest_length; /* of what has been received, the frame that is not whole yet */
    char rest[1024];
};

struct room {
    struct client **members;
    int count, space;
    char *waiting; /* frames for all members, when coalescing */
    size_t waiting_length, waiting_space;
};

static struct room rooms[ROOMS];
static int rooms_waiting[ROOMS], rooms_waiting_count;
static bool coalesce;
static char inbox[256 * 1024 + sizeof((struct client *)0)->rest];

/* Writing */

static void write_bytes(struct client *client, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = client->fd, .events = POLLOUT};
            poll(&writable, 1, 1000);
        } else {
            return; /* its end will be read */
        }
    }
}

/* An unmasked text frame (RFC 6455, 5.2) around `length` bytes that already stand 4 bytes into `frame`. Returns where it
 * begins; `*size` is its size. */
static char *framed(char *frame, size_t length, size_t *size) {
    if (length < 126) {
        frame[2] = (char)0x81;
        frame[3] = (char)length;
        *size = length + 2;
        return frame + 2;
    }
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = (char)(length >> 8);
    frame[3] = (char)length;
    *size = length + 4;
    return frame;
}

static void write_text(struct client *client, const char *text, size_t length) {
    char frame[MAX_FRAME];
    size_t size;
    memcpy(frame + 4, text, length);
    const char *start = framed(frame, length, &size);
    write_bytes(client, start, size);
}

/* Rooms */

static void enter(struct client *client, int number) {
    struct room *room = &rooms[number];
    if (room->count == room->space) {
        room->space = room->space ? room->space * 2 : 16;
        room->members = realloc(room->members, (size_t)room->space * sizeof *room->members);
        if (room->members == NULL)
            abort();
    }
    room->members[room->count++] = client;
    client->room = number;
}

static void leave(struct client *client) {
    if (client->room == NO_ROOM)
        return;
    struct room *room = &rooms[client->room];
    for (int i = 0; i < room->count; i++)
        if (room->members[i] == client) {
            room->members[i] = room->members[--room->count];
            return;
        }
}

static void to_members(const struct room *room, const char *bytes, size_t length) {
    for (int i = 0; i < room->count; i++)
        write_bytes(room->members[i], bytes, length);
}

static void to_members_later(int number, const char *bytes, size_t length) {
    struct room *room = &rooms[number];
    if (room->waiting_length == 0)
        rooms_waiting[rooms_waiting_count++] = number;
    if (room->waiting_length + length > room->waiting_space) {
        room->waiting_space = 2 * (room->waiting_length + length);
        room->waiting = realloc(room->waiting, room->waiting_space);
        if (room->waiting == NULL)
            abort();
    }
    memcpy(room->waiting + room->waiting_length, bytes, length);
    room->waiting_length += length;
}

static void flush_rooms(void) {
    for (int i = 0; i < rooms_waiting_count; i++) {
        struct room *room = &rooms[rooms_waiting[i]];
        to_members(room, room->waiting, room->waiting_length);
        room->waiting_length = 0;
    }
    rooms_waiting_count = 0;
}

static int room_number(const char *digits) { return atoi(digits) % ROOMS; }

/* Packets. All texts end in a zero byte. */

static void broadcast(const char *packet, size_t length) {
    static const char PREFIX[] = "42[\"bc\",\"r", EVENT[] = "42[\"m\",";
    char frame[MAX_FRAME];
    const char *body = strchr(packet + sizeof PREFIX - 1, ',');
    if (body == NULL)
        return;
    body++;
    size_t body_length = length - (size_t)(body - packet), size;
    memcpy(frame + 4, EVENT, sizeof EVENT - 1);
    memcpy(frame + 4 + sizeof EVENT - 1, body, body_length);
    const char *start = framed(frame, sizeof EVENT - 1 + body_length, &size);
    int number = room_number(packet + sizeof PREFIX - 1);
    if (coalesce)
        to_members_later(number, start, size);
    else
        to_members(&rooms[number], start, size);
}

/* 42<id>["echo",<body>] is answered with 43<id>[<body>]. */
static void echo(struct client *client, const char *packet) {
    char answer[MAX_PAYLOAD];
    const char *list = strchr(packet, '['), *body = strchr(packet, ',');
    if (list == NULL || body == NULL)
        return;
    int length = snprintf(answer, sizeof answer, "43%.*s[%s", (int)(list - packet - 2), packet + 2, body + 1);
    write_text(client, answer, (size_t)length);
}

static void packet(struct client *client, char *text, size_t length) {
    static const char JOIN[] = "420[\"join\",\"r", BROADCAST[] = "42[\"bc\",\"r";
    if (strcmp(text, "40") == 0) {
        static const char CONNECTED[] = "40{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\"}";
        write_text(client, CONNECTED, sizeof CONNECTED - 1);
    } else if (strncmp(text, JOIN, sizeof JOIN - 1) == 0) {
        enter(client, room_number(text + sizeof JOIN - 1));
        write_text(client, "430[]", 5);
    } else if (strncmp(text, BROADCAST, sizeof BROADCAST - 1) == 0) {
        broadcast(text, length);
    } else if (strncmp(text, "42", 2) == 0) {
        echo(client, text);
    }
}

/* Clients */

static void greet(struct client *client) {
    /* The answer to the key in RFC 6455, 1.3, which is the one that the load generator sends. */
    static const char UPGRADE[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    static const char OPEN[] = "0{\"sid\":\"aaaaaaaaaaaaaaaaaaaa\",\"upgrades\":[],\"pingTimeout\":20000,"
                               "\"pingInterval\":25000,\"maxPayload\":1000000}";
    client->upgraded = true;
    write_bytes(client, UPGRADE, sizeof UPGRADE - 1);
    write_text(client, OPEN, sizeof OPEN - 1);
}

static void drop(struct client *client) {
    leave(client);
    close(client->fd);
    free(client);
}

/* Handle the whole frames among these bytes (all of them masked texts); returns how many bytes those were. */
static size_t consume(struct client *client, char *bytes, size_t length) {
    size_t at = 0;
    for (;;) {
        const unsigned char *header = (unsigned char *)bytes + at;
        size_t header_length = 6;
        if (length - at < header_length)
            return at;
        size_t payload = header[1] & 127;
        if (payload == 126) {
            header_length = 8;
            payload = (size_t)header[2] << 8 | header[3];
        }
        if (payload >= MAX_PAYLOAD - 64 || length - at < header_length + payload)
            return at;
        const unsigned char *mask = header + header_length - 4;
        char *text = bytes + at + header_length;
        for (size_t i = 0; i < payload; i++)
            text[i] = (char)(text[i] ^ mask[i & 3]);
        char after = text[payload]; /* of the next frame, or the byte of `inbox` that is never received into */
        text[payload] = '\0';
        packet(client, text, payload);
        text[payload] = after;
        at += header_length + payload;
    }
}

static void receive(struct client *client) {
    memcpy(inbox, client->rest, client->rest_length);
    size_t space = sizeof inbox - sizeof client->rest - 1;
    ssize_t got = recv(client->fd, inbox + client->rest_length, space, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        drop(client);
        return;
    }
    if (!client->upgraded) { /* nobody sends anything behind the request before it is answered */
        greet(client);
        return;
    }
    size_t length = client->rest_length + (size_t)got, used = consume(client, inbox, length);
    if (length - used > sizeof client->rest) {
        drop(client);
        return;
    }
    client->rest_length = length - used;
    memcpy(client->rest, inbox + used, client->rest_length);
}

static void accept_all(int listener, int epoll) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        if (client == NULL)
            abort();
        client->fd = fd;
        client->room = NO_ROOM;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
        perror("floor");
        exit(1);
    }
    return listener;
}

int main(int argc, char **argv) {
    static struct epoll_event events[EVENTS];
    if (argc < 2) {
        fprintf(stderr, "usage: floor PORT [coalesce]\n");
        return 2;
    }
    coalesce = argc > 2;
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(listener, epoll);
            else
                receive(events[i].data.ptr);
        }
        flush_rooms();
    }
}
