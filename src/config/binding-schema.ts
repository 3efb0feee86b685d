import { z } from 'zod';

/** What is asked of a token's binding. */
export const bindingSchema = z.enum(['optional', 'required', 'x5t#S256', 'dpop', 'spiffe']);
