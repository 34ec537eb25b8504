#pragma once
/*
 * client_content - the result of a call of the caller's tools, as an MCP server
 * has it
 *
 * A CLI that finds a result too long tells its model the beginning of it, or
 * nothing, and the name of a file.  That model has no tool to read files with.
 * So a text that is too long is cut before: its beginning and its end are kept,
 * and words between them say how much is missing.
 */
#include <jansson.h>

/* Adds the parts of a message to MCP's content.  Of all texts together at most
 * `max` bytes are kept, and the words; 0: any number. */
void client_content_add(json_t *content, const json_t *parts, size_t max);
