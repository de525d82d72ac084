/* The edition of what C and Python expect of each other: see core/native.py. */

#ifndef PREDSURV_EDITION_H
#define PREDSURV_EDITION_H

#define EDITION 19

#endif
