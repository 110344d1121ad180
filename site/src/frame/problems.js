// Problems in words are shared by all pages.
export { explain } from '../shared/problems.js';
