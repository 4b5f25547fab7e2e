WHO = 'beside the script'
