#ifndef CLOUD_XML_H
#define CLOUD_XML_H

#include "base/err.h"

#include <stddef.h>

/* Small XML documents from clients, read by expat: no document type, no entities, every size
 * limited. */

enum {
    XML_MAX_DEPTH = 8,
    XML_MAX_NAME = 64,
    XML_MAX_TEXT_BYTES = 4096,
    XML_MAX_ELEMENTS = 50000,
    XML_MAX_PATH = XML_MAX_DEPTH * (XML_MAX_NAME + 1),
};

/* Called when an element ends: `path` is the names from the root ("Delete/Object/Key"), without
 * namespace prefixes; `text` what stood in it directly, with a 0 behind. An error stops the
 * reading. */
typedef int xml_element(void *context, const char *path, const char *text, struct err *err);

/* ERR_INVALID when it is no XML, ERR_TOO_BIG past a limit, else what `element` returned. */
int xml_read(const void *data, size_t size, xml_element *element, void *context,
             struct err *err) MUST_USE;

#endif
