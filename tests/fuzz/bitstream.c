#include "video/bitstream.h"
#include "video/capture_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a camera, a command or the capturing process may send. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h264_unit unit;
    struct capture_header header;
    struct capture_format format;
    struct err err;
    int width, height;
    size_t start;
    h264_inspect(data, size, &unit);
    if (unit.parameter_bytes > size)
        abort();
    if (h264_unit_end(data, size) > size)
        abort();
    size_t end = jpeg_end(data, size, &start);
    if (start > size || end > size || (end && end <= start))
        abort();
    if (jpeg_size(data, size, &width, &height) == 0 && (width < 1 || height < 1))
        abort();
    if (size >= CAPTURE_HEADER_BYTES && capture_header_read(&header, data, &err) == 0 &&
        header.size > CAPTURE_MAX_PACKET_BYTES)
        abort();
    if (capture_format_read(&format, data, size, &err) == 0 && format.width > CAPTURE_MAX_SIDE)
        abort();
    return 0;
}
