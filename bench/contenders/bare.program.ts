import { serve } from './app.ts'

await serve(async () => {})
