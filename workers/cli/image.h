#pragma once
/*
 * image - what an image in a caller's message really is
 *
 * What CLIs do with an image that they cannot decode differs: some fail, some
 * leave it out without a word.  So its type and its first bytes are looked at
 * before any CLI sees it, and the caller gets a 400 that names the place.  The
 * picture itself is not decoded.
 */
#include "proto/str.h"

/* The media type of the image that begins with these bytes; NULL: it begins
 * like none.  It lives as long as the process. */
const char *image_of(struct str bytes);

/*
 * The same of an image whose bytes are in `base64`: vendors refuse one that is
 * called by the name of another, as clients do that know only its file name.
 * NULL if `media_type` is none of an image's, or the bytes are: *problem then
 * says so, and can stand behind "messages[0].content[1]".
 */
const char *image_type(struct str media_type, struct str base64,
		       const char **problem);

/* The types, for people. */
#define IMAGE_NAMES "PNG, JPEG, GIF, WebP, BMP, AVIF, HEIC and HEIF"
