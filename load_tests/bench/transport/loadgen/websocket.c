#include "websocket.h"

#include <stdint.h>
#include <string.h>

#define FIN 0x80
#define MASKED 0x80

/* Any value will do: the mask only has to be there, and a server cannot tell how it was drawn (RFC 6455, 5.3). */
static const unsigned char MASK[4] = {0x5a, 0x13, 0xc7, 0x91};

size_t ws_write(char *out, int opcode, const char *payload, size_t length) {
    size_t at = 0;
    out[at++] = (char)(FIN | opcode);
    if (length < 126) {
        out[at++] = (char)(MASKED | length);
    } else {
        out[at++] = (char)(MASKED | 126);
        out[at++] = (char)(length >> 8);
        out[at++] = (char)length;
    }
    memcpy(out + at, MASK, sizeof MASK);
    at += sizeof MASK;
    for (size_t i = 0; i < length; i++)
        out[at++] = (char)(payload[i] ^ MASK[i & 3]);
    return at;
}

enum ws_parsed ws_parse(const char *bytes, size_t length, struct ws_frame *frame) {
    const unsigned char *header = (const unsigned char *)bytes;
    if (length < 2)
        return WS_INCOMPLETE;
    if ((header[0] & 0xF0) != FIN || (header[1] & MASKED))
        return WS_UNEXPECTED;
    uint64_t payload = header[1];
    size_t size = 2;
    unsigned length_bytes = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    if (length_bytes) {
        if (length < size + length_bytes)
            return WS_INCOMPLETE;
        payload = 0;
        for (unsigned i = 0; i < length_bytes; i++)
            payload = payload << 8 | header[size++];
    }
    if (length - size < payload)
        return WS_INCOMPLETE;
    *frame = (struct ws_frame){header[0] & 0x0F, bytes + size, (size_t)payload, size + (size_t)payload};
    return WS_FRAME;
}
