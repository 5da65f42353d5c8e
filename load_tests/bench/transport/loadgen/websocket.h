/* Frames of RFC 6455 as a client writes and reads them. No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { WS_TEXT = 0x1, WS_CLOSE = 0x8, WS_PING = 0x9, WS_PONG = 0xA };

#define WS_MAX_HEADER 14

struct ws_frame {
    int opcode;
    const char *payload; /* inside the bytes that were parsed */
    size_t length;
    size_t size; /* of the whole frame, header included */
};

enum ws_parsed { WS_FRAME, WS_INCOMPLETE, WS_UNEXPECTED };

/* Write a whole, masked frame of at most 65 535 bytes payload to `out`, which has room for WS_MAX_HEADER more. Returns
 * its size. */
size_t ws_write(char *out, int opcode, const char *payload, size_t length);

/* Parse the first frame of what a server sent. Fragments, masks and extensions are unexpected: no server that is
 * measured here sends them. */
enum ws_parsed ws_parse(const char *bytes, size_t length, struct ws_frame *frame);
